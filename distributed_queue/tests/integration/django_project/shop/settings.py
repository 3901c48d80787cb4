"""Settings; the folder of the databases comes from the environment."""

import os
import sys

FOLDER = os.environ["SHOP_FOLDER"]
INSTALLED_APPS = ["distributed_queue.integrations.django", "shop"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{FOLDER}/shop.db", "OPTIONS": {"timeout": 30}}
}
DISTRIBUTED_QUEUE = {"URL": f"sqlite:///{FOLDER}/tasks.db", "OPTIONS": {"retention_count": 1000}}
TASKS = {
    "default": {
        "BACKEND": "distributed_queue.integrations.django.DistributedQueueBackend",
        "QUEUES": ["default", "mail"],
        "OPTIONS": {"max_retries": 1},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LOGGING_CONFIG = None
if sys.version_info < (3, 12):
    INSTALLED_APPS.append("django_tasks")
