"""The Celery application: `celery -A console worker --pool=threads`. Imported when the first message is sent."""

import os

from celery import Celery
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from console import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

QUEUES = ("console", "runs", "jobs")

app = Celery("console")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]
app.autodiscover_tasks()

TRANSPORT_ALIASES[broker.SCHEME] = "console.broker:Transport"
if app.conf.broker_url.startswith(broker.SCHEME):
    app.conf.broker_transport_options = broker.options(app.conf.broker_folder)
