#!/bin/sh
# Prepares what a deployment does once (all of it harmless when repeated), then runs Airflow in the foreground.
set -eu

: "${AIRFLOW_OPERATOR_PASSWORD:?set the password of the user operator}"
umask 077
python -c 'import json, os; print(json.dumps({"operator": os.environ["AIRFLOW_OPERATOR_PASSWORD"]}))' \
    >"$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
unset AIRFLOW_OPERATOR_PASSWORD
umask 022

cd "$LLMOPS_PROJECT"
llmops create-keys
feast --chdir "$LLMOPS_FEATURE_REPO" apply --skip-source-validation
airflow db migrate
airflow pools import dags/pools.json
exec airflow standalone
