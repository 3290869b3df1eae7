"""What is wrong with this installation, and the command that mends it."""

from .examine import examine
from .finding import Finding, Verdict
from .report import as_text, write_zip

__all__ = ["Finding", "Verdict", "as_text", "examine", "write_zip"]
