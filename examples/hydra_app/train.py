"""A script with a Hydra configuration, which runs in a folder of Hydra's for each job."""

from pathlib import Path

import hydra
import mlflow
from omegaconf import DictConfig


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    loss = (cfg.optimizer.lr - 0.01) ** 2 + abs(cfg.model.units - 32) / 100 + cfg.model.dropout
    Path("weights.txt").write_text("weights")  # the folder is Hydra's
    with mlflow.start_run():
        mlflow.log_param("folder", Path.cwd().parent.parent.name)
        mlflow.log_metric("val_loss", loss)
    print("result", loss)


if __name__ == "__main__":
    main()
