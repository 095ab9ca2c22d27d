"""MBR: ask for the label that lowers the expected risk of a Gaussian random field the most.

    graph       W_ij = exp(-|x_i - x_j|^2 / sigma^2)                              graph.py, bandwidth.py
    field       f_u = (D_uu - W_uu)^-1 W_ul f_l, one harmonic function per class    field.py
    question    argmin_k  sum_y f_ky R(f with k labelled y)                         risk.py
    answer      class-mass normalisation, for classifying only                     classify.py
    loop        ask                                                                 asking.py
    departures  what the code behind Gal et al. (2017), figure 3, did instead       departures.py

The features x are the caller's: flattened pixels in [0, 1] make the paper's MBR, and a network's last hidden layer, computed for all
images by the caller, makes its "CNN version" (the RBF kernel then compares what the network sees).

Zhu, Lafferty and Ghahramani (2003), "Combining active learning and semi-supervised learning using Gaussian fields and harmonic
functions".
"""
