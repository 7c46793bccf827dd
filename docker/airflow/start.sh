#!/bin/bash
# Prepares what a deployment does once (all of it harmless when repeated), then runs Airflow's four processes; when one
# ends, all do. Not `airflow standalone`: that one always takes the login manager whose roles are fixed.
set -eu

: "${AIRFLOW_OPERATOR_PASSWORD:?set the password of the user operator}"
umask 077
users=$(mktemp)
python -c 'import json, os; print(json.dumps({"admin": {"username": "operator", "password": os.environ["AIRFLOW_OPERATOR_PASSWORD"]}}))' \
    >"$users"

cd "$LLMOPS_PROJECT"
# Tasks publish, so they run with an Admin's key; the first start makes it, for a year.
worker_key="$(dirname "$LLMOPS_SIGNING_KEY")/worker.key"
if [ ! -s "$worker_key" ]; then
    llmops access create-key --role admin --subject airflow-worker --expires-days 365 >"$worker_key"
fi
LLMOPS_ACCESS_KEY=$(cat "$worker_key")
export LLMOPS_ACCESS_KEY
llmops access check-passwords
unset AIRFLOW_OPERATOR_PASSWORD
umask 022

llmops create-keys
feast --chdir "$LLMOPS_FEATURE_REPO" apply --skip-source-validation
airflow db migrate
airflow pools import dags/pools.json
llmops access airflow-roles --apply --users "$users"
rm "$users"

trap 'kill $(jobs -p) 2>/dev/null' EXIT
trap 'exit 0' TERM INT
airflow scheduler &
airflow dag-processor &
airflow triggerer &
airflow api-server &
wait -n
echo "one of Airflow's processes has ended" >&2
exit 1
