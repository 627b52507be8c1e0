"""chartsight: a vision-language assistant for chest X-rays and electronic health records.

Importing the package loads neither torch nor transformers; each room does so where it needs them.
Research use only: nothing here is a medical device or a diagnosis.
"""

__version__ = "0.1.0"
