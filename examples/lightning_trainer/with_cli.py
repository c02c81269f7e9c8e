"""A LightningCLI, in the manner of Lightning's documents: it logs to the run that MLFLOW_RUN_ID names."""

import os

import lightning_data
import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import LightningCLI
from torch.nn import functional


class Model(pl.LightningModule):
    """A linear model."""

    def __init__(self, lr: float = 0.01, bias: bool = True, note: str = "none"):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Linear(4, 1, bias=bias)

    def training_step(self, batch, index):
        x, y = batch
        return functional.mse_loss(self.net(x), y)

    def validation_step(self, batch, index):
        x, y = batch
        loss = functional.mse_loss(self.net(x), y)
        self.log("val_loss", loss)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


class Points(pl.LightningDataModule):
    """The points, in batches."""

    def __init__(self, batch_size: int = 16):
        super().__init__()
        self.train, self.held_out = lightning_data.loaders(batch_size)

    def train_dataloader(self):
        return self.train

    def val_dataloader(self):
        return self.held_out


if __name__ == "__main__":
    cli = LightningCLI(
        Model,
        Points,
        save_config_callback=None,
        seed_everything_default=0,
        trainer_defaults={
            "max_epochs": 2,
            "accelerator": "cpu",
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "log_every_n_steps": 1,
            "logger": {
                "class_path": "pytorch_lightning.loggers.MLFlowLogger",
                "init_args": {"run_id": os.environ.get("MLFLOW_RUN_ID")},
            },
        },
    )
    print("result", float(cli.trainer.callback_metrics["val_loss"]))
