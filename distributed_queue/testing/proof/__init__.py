"""Proof: histories of what was asked and answered, and a checker that would notice a broken promise.

``records`` is the format, ``recording`` writes it around any storage, ``checker`` reads it and judges. The checker
knows the port's contract and shares no code with the engines.
"""

from distributed_queue.testing.proof.checker import Report, check_files, check_records
from distributed_queue.testing.proof.recording import RecordingStorage
from distributed_queue.testing.proof.records import HistoryWriter, read_history

__all__ = ["HistoryWriter", "RecordingStorage", "Report", "check_files", "check_records", "read_history"]
