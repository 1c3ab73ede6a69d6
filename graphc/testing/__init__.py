"""The conformance kit: what every primitive means, and a suite that holds a backend to it.

    pytest --pyargs graphc.testing --backend NAME

runs the suite on the backend ``NAME``, one of graphc's own or one of another package; without the
option, on each that works here. It needs pytest and hypothesis.
"""
