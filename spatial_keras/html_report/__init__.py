"""The runs of a folder as one HTML page."""

from spatial_keras.html_report.page import FLAGS, Page, prepare

__all__ = ["FLAGS", "Page", "prepare"]
