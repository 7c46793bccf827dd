"""The DAGs as Airflow sees them: their folder on the path, and a home for Airflow that the test run leaves behind."""

import os
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

_home = tempfile.TemporaryDirectory(prefix="llmops-airflow-")
os.environ["AIRFLOW_HOME"] = _home.name  # read when Airflow is imported; without it, it would write into ~/airflow
sys.path.append(str(PROJECT / "dags"))
