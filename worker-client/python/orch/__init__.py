"""Workers, durable code and calls for orch, the workflow orchestrator inside PostgreSQL."""
from .client import AsyncClient, Client, Event
from .context import Context
from .errors import Error, RunFailed, Skip, Stopped, TaskError
from .payloads import Codec, Payloads, Reference
from .storage import S3, Directory
from .tasks import Registry, Task, registry, task, workflow
from .worker import Worker

__all__ = ["AsyncClient", "Client", "Codec", "Context", "Directory", "Error", "Event", "Payloads", "Reference", "Registry", "RunFailed", "S3", "Skip", "Stopped", "Task", "TaskError", "Worker",
           "registry", "task", "workflow"]
