"""Carry out the plan: databases, then the store, then MLflow, which needs both."""

import logging
import os
import sys
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from modelyard_provisioner import postgres, store, tracking
from modelyard_provisioner.credentials import DIRECTORY_VARIABLE, Credentials
from modelyard_provisioner.errors import ProvisioningError
from modelyard_provisioner.patience import Patience
from modelyard_provisioner.plan import PLAN_VARIABLE, Plan

_LOG = logging.getLogger("modelyard_provisioner")


def carry_out(plan: Plan, credentials: Credentials, patience: Patience) -> None:
    """Every step, each waiting for its service."""
    patience.until_available("PostgreSQL", partial(postgres.provision, plan, credentials))
    patience.until_available("the S3 store", partial(store.provision, plan, credentials))
    patience.until_available("MLflow", partial(tracking.provision, plan, credentials))


def main() -> int:
    """Exit code 0 when everything is there, 1 when a service refuses or never answers, 2 for a plan that is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    # Requests are logged with their full address by default.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        plan = Plan.model_validate_json(os.environ.get(PLAN_VARIABLE, ""))
        credentials = Credentials(Path(os.environ[DIRECTORY_VARIABLE]))
    except (KeyError, ValidationError) as error:
        _LOG.error("%s or %s is wrong: %s", PLAN_VARIABLE, DIRECTORY_VARIABLE, error)
        return 2
    try:
        carry_out(plan, credentials, Patience.of(plan.timeout_seconds))
    except ProvisioningError as error:
        _LOG.error("%s", error)
        return 1
    _LOG.info("done: %d projects", len(plan.projects))
    return 0


if __name__ == "__main__":
    sys.exit(main())
