"""The command that prints the JSON Schema of study files: schema."""

from __future__ import annotations

import click

from mlflow_tune.cli.common import Answer, Common, common_options, example
from mlflow_tune.spec.schema import schema_text, study_schema


@click.command(epilog=example("mlflow-tune schema > study.schema.json"))
@common_options
def schema(common: Common) -> Answer:  # noqa: ARG001
    """Print the JSON Schema of study files, with which editors complete and check them.

    An editor with a YAML language server finds the schema by the first line of a study file:
    `# yaml-language-server: $schema=study.schema.json`. `mlflow-tune init` writes both the line and the file.
    """
    return Answer(lambda: {"study_file": study_schema()}, lambda: click.echo(schema_text(), nl=False))
