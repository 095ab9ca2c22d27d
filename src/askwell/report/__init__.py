"""What came of it: curves, tests and tables as numbers, figures, and a page that needs nothing but itself.

``curves`` reads and writes the numbers, ``labels``, ``paired``, ``calibration`` and ``confusion`` reduce them, ``verdicts`` and
``wording`` say in plain words what they allow one to say, ``page`` puts it all on report.html. None of them loads torch or, until
``page`` draws, matplotlib; only ``plots`` imports it.
"""
