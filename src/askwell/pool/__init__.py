"""Images by position, ids that never change, labels, splits and named data sets.

``images`` holds the pool and its labelled sibling, ``oracle`` answers from known labels, ``splits`` draws the initial
items, ``catalogue`` names the data sets without importing torch, ``datasets`` loads them.
"""
