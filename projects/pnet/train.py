"""Train MTCNN's P-Net on windows of 50 faces and 50 other pictures, epoch by epoch, and log it to MLflow.

L = L_cls + alpha * L_box: see network.py for the two, faces.py for the data. Logged after each epoch: the training's
`cls_loss` and `box_loss`, the validation's `val_cls_loss` and `val_box_loss`, the `recall` of faces at one false alarm
in 100 and the mean `box_error`. One network's recall depends on chance: `--networks 4` trains four, from the seeds
`seed`, `seed + 1`, ..., in step; the metrics are their means, `recall_std` the standard deviation of their recalls.

Run it by hand with `python train.py --alpha 0.1`, or as an MLflow project (see the file MLproject beside it).
"""

import argparse
import math
import os
from statistics import fmean, stdev

import mlflow
import torch
from faces import Windows, load_windows
from network import Adam, PNet, evaluate, losses


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the first network of a face detector.")
    parser.add_argument("--alpha", type=float, default=0.5, help="weight of the boxes in L = L_cls + alpha * L_box")
    parser.add_argument("--lr", type=float, default=0.015, help="largest step size of the Adam optimizer")
    parser.add_argument("--epochs", type=int, default=6, help="passes over the training windows")
    parser.add_argument("--batch_size", type=int, default=128, help="windows in a minibatch")
    parser.add_argument("--crops", type=int, default=12, help="windows of each kind that are cut from a picture")
    parser.add_argument("--networks", type=int, default=1, help="how many are trained and averaged")
    parser.add_argument("--seed", type=int, default=0, help="sets the windows, the weights and the minibatches")
    args = parser.parse_args()
    for name in ("epochs", "batch_size", "crops", "networks"):
        if getattr(args, name) < 1:
            parser.error(f"{name} >= 1 must hold, but got {getattr(args, name)}")
    if args.seed < 0:
        parser.error(f"seed >= 0 must hold, but got {args.seed}")
    return args


def step_size(lr, done):
    """Return the step size when this share of the steps is done: up for a fifth of them, then down to almost 0."""
    return lr * (done / 0.2 if done < 0.2 else 0.5 * (1 + math.cos(math.pi * (done - 0.2) / 0.8))) + 1e-3 * lr


def learn(args, seed):
    """Train one network; after each epoch yield its metrics by name."""
    train_set, val_set = load_windows(args.crops, seed)
    chance = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = PNet()
    optimizer = Adam(network.parameters())
    for epoch in range(args.epochs):
        seen = []
        order = torch.randperm(len(train_set.kind), generator=chance).split(args.batch_size)
        for number, batch in enumerate(order):
            windows = Windows(*(tensor[batch] for tensor in train_set))
            cls_loss, box_loss = losses(*network(windows.pixels), windows)
            done = (epoch + number / len(order)) / args.epochs
            optimizer.step(cls_loss + args.alpha * box_loss, step_size(args.lr, done))
            seen.append((cls_loss.item(), box_loss.item()))
        cls_losses, box_losses = zip(*seen, strict=True)
        yield {"cls_loss": fmean(cls_losses), "box_loss": fmean(box_losses), **evaluate(network, val_set)}


def train(args):
    """Train the networks in step; after each epoch yield its number, from 1, and the means of their metrics."""
    networks = [learn(args, args.seed + number) for number in range(args.networks)]
    for epoch, results in enumerate(zip(*networks, strict=True), 1):
        means = {name: fmean(result[name] for result in results) for name in results[0]}
        if len(results) > 1:
            means["recall_std"] = stdev(result["recall"] for result in results)
        yield epoch, means


def main():
    """Train within an MLflow run: the one that started this script, or a new one."""
    args = parse_args()
    started_by_mlflow = "MLFLOW_RUN_ID" in os.environ
    torch.set_num_threads(1)  # the network is so small that more only wait for one another
    with mlflow.start_run():
        if not started_by_mlflow:
            # Whoever makes the run (`mlflow run`, a tuner) has logged its parameters already.
            mlflow.log_params(vars(args))
        for epoch, metrics in train(args):
            mlflow.log_metrics(metrics, step=epoch)
            print(f"epoch {epoch:2d}  " + "  ".join(f"{key}={value:.4f}" for key, value in metrics.items()), flush=True)


if __name__ == "__main__":
    main()
