"""The report page: one self-contained HTML file for one run or several side by side."""

from __future__ import annotations

from penstock.runs.report.report import ReportInfo, write_report

__all__ = ["ReportInfo", "write_report"]
