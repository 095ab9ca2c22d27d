"""The named data sets: digits, MNIST and its kin, CIFAR-10, ISIC 2016."""
