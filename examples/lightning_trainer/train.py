"""A module of Lightning with an MLFlowLogger that opens a run of its own, in the manner of Lightning's documents."""

import argparse
import os

import lightning_data
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import MLFlowLogger
from torch.nn import functional


class Regressor(pl.LightningModule):
    """A linear model."""

    def __init__(self, lr, hidden):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(torch.nn.Linear(4, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 1))

    def training_step(self, batch, index):
        x, y = batch
        loss = functional.mse_loss(self.net(x), y)
        self.log("train/loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val/loss", functional.mse_loss(self.net(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--max-epochs", type=int, default=2)
    args = parser.parse_args()
    pl.seed_everything(0)
    logger = MLFlowLogger(experiment_name="lightning_logs", tracking_uri=os.environ["MLFLOW_TRACKING_URI"])
    trainer = pl.Trainer(
        max_epochs=args.max_epochs,
        logger=logger,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(Regressor(args.lr, args.hidden), *lightning_data.loaders())
    print("result", float(trainer.callback_metrics["val/loss"]))


if __name__ == "__main__":
    main()
