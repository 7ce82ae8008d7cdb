"""report.html: an analysis as one page that a person reads, without a network."""

from ddrsa.analysis.report.page import REPORT, write_report

__all__ = ["REPORT", "write_report"]
