"""The worker of `penstock up`: starts the flows that prefect.yaml names, and nothing else.

What a flow run or deployment on the server asks for beyond that is refused: another command,
environment, folder, entry point or pull step. So the server's word starts no program of its own.
"""

import asyncio
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.utilities.processutils import setup_signal_handlers_worker
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult
from ruamel.yaml import YAML

from penstock.project.workspace import find_root
from penstock.running.notification import keep_address, take_address
from penstock.supervision.pool import POOL, TEMPLATE, worker_name

ROOT = find_root(Path(__file__).parent)
# Prefect warns of the second worker of one type; the first one is not used here.
warnings.filterwarnings("ignore", "Type 'Worker'", UserWarning)


class Worker(ProcessWorker):
    """Checks each flow run against prefect.yaml before anything of it runs."""

    async def run(
        self, flow_run: FlowRun, configuration: ProcessJobConfiguration, task_status: Any = None
    ) -> ProcessWorkerResult:
        """Start a flow run.

        Raises:
            PermissionError: it asks for what prefect.yaml does not have; Prefect marks it as
                crashed, with this reason.
        """
        if reason := await self._objection(flow_run):
            raise PermissionError(f"{reason}; this worker runs what prefect.yaml has, as it has it")
        configuration.working_dir = ROOT
        return await super().run(flow_run, configuration, task_status)

    async def _objection(self, flow_run: FlowRun) -> str:
        if flow_run.deployment_id is None:
            return f"flow run {flow_run.name!r} is of no deployment"
        if self.work_pool.base_job_template != TEMPLATE:
            return f"the job template of work pool {POOL!r} was changed"
        deployment = await self.client.read_deployment(flow_run.deployment_id)
        for asked in (flow_run.job_variables, deployment.job_variables):
            if asked:
                return f"job variables are not taken: {', '.join(asked)}"
        text = (ROOT / "prefect.yaml").read_text()
        known = YAML(typ="safe").load(text.replace("{{ $PENSTOCK_ROOT }}", str(ROOT)))
        if deployment.entrypoint not in [it["entrypoint"] for it in known["deployments"]]:
            return f"entry point {deployment.entrypoint!r} is unknown"
        if deployment.pull_steps != known.get("pull"):
            return f"pull steps {deployment.pull_steps} are unknown"
        return ""


async def main() -> None:
    """Work until the process is ended."""
    os.chdir(ROOT)
    keep_address(ROOT)  # where it was started by hand, with the address in its environment
    take_address()
    setup_signal_handlers_worker(os.getpid(), "the worker", print)
    try:
        await Worker(name=worker_name(), work_pool_name=POOL).start()
    except asyncio.CancelledError:
        print("worker stopped", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main())
