"""What came of it: curves and tables as numbers, plots, and a page that needs nothing but itself.

``curves`` reads, writes and reduces numbers and loads neither torch nor matplotlib; ``plots`` is the only module that draws; ``page``
writes report.html and loads ``plots`` only when it is called.
"""
