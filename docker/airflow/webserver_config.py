"""Logins of Airflow's FAB auth manager, outside development.

Roles and their permissions come from llmops/governance/access/roles.py (`llmops access airflow-roles --apply`); this
file only says how people get one of them. For an identity provider set AUTH_TYPE and OAUTH_PROVIDERS instead, as FAB's
documentation describes, and map its groups:

    AUTH_ROLES_MAPPING = {"llmops-developers": ["LlmopsDeveloper"], "llmops-admins": ["LlmopsAdmin"]}
    AUTH_ROLES_SYNC_AT_LOGIN = True
"""

from flask_appbuilder.const import AUTH_DB

AUTH_TYPE = AUTH_DB
AUTH_USER_REGISTRATION = False  # accounts are made by an Admin, never by whoever comes by
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = "10 per minute"  # of logins from one address
WTF_CSRF_ENABLED = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
