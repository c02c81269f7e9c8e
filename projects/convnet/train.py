"""Train a small convolutional network to read handwritten digits, epoch by epoch, and log it to MLflow.

The data are the 1,797 images (8 x 8 grey pixels) that come with scikit-learn: the test set of
https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits. A quarter is held out for
validation, the same one in every run. The seed sets the initial weights, the order of the minibatches and what dropout
leaves out: equal parameters give equal curves, and another seed tells what of a result is chance.

Run it by hand with `python train.py --lr 0.003`, or as an MLflow project (see the file MLproject beside it).
"""

import argparse
import os

import mlflow
import mlflow.pytorch
import numpy as np
import torch
from PIL import Image, ImageDraw
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

SPLIT_SEED = 0
FILTERS = 16
SHOWN = 8  # so many filters are drawn ...
ZOOM = 5  # ... each pixel so many wide
MISREAD = 32  # at most so many misread digits are drawn


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train a convolutional network on handwritten digits.")
    parser.add_argument("--lr", type=float, default=0.001, help="step size of the AdamW optimizer")
    parser.add_argument("--dropout", type=float, default=0.5, help="share of the hidden units left out at each step")
    parser.add_argument("--weight_decay", type=float, default=0.01, help="by which AdamW shrinks the weights")
    parser.add_argument("--kernel_size", type=int, default=3, help="width of the convolutions in pixels, odd")
    parser.add_argument("--batch_size", type=int, default=64, help="images in a minibatch")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the training images")
    parser.add_argument("--seed", type=int, default=0, help="sets weights, order of the minibatches and dropout")
    args = parser.parse_args()
    rules = {
        "epochs >= 1": args.epochs >= 1,
        "batch_size >= 1": args.batch_size >= 1,
        "kernel_size in 1, 3, 5, 7": args.kernel_size in (1, 3, 5, 7),
        "0 <= dropout < 1": 0 <= args.dropout < 1,
    }
    for rule, holds in rules.items():
        if not holds:
            name = next(name for name in vars(args) if name in rule)
            parser.error(f"{rule} must hold, but got {getattr(args, name)}")
    return args


def load_data():
    """Return ((images, labels), (images, labels)) to train on and to validate with: (n, 1, 8, 8) in 0..1, and (n,)."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16.0, labels, test_size=0.25, stratify=labels, random_state=SPLIT_SEED)
    train_x, val_x = (torch.tensor(part, dtype=torch.float32).reshape(-1, 1, 8, 8) for part in parts[:2])
    train_y, val_y = (torch.tensor(part) for part in parts[2:])
    return (train_x, train_y), (val_x, val_y)


def make_model(dropout, kernel_size):
    """Return the untrained network, of PyTorch's own layers alone: it can be loaded without this file."""
    return nn.Sequential(
        nn.Conv2d(1, FILTERS, kernel_size, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(FILTERS, 2 * FILTERS, kernel_size, padding="same"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * FILTERS * 2 * 2, 64),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(64, 10),
    )


@torch.no_grad()
def evaluate(model, images, labels):
    """Return the cross-entropy and the share of images that are read rightly, without dropout."""
    model.eval()
    scores = model(images)
    accuracy = (scores.argmax(dim=1) == labels).double().mean()
    return float(nn.functional.cross_entropy(scores, labels)), float(accuracy)


def learn(model, train_set, val_set, lr, weight_decay, batch_size, epochs):
    """Train the model for so many epochs; after each yield its number, from 1, and the three metrics by name."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
    images, labels = train_set
    for epoch in range(1, epochs + 1):
        model.train()
        for batch in torch.randperm(len(images)).split(batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
        train_loss, _ = evaluate(model, *train_set)
        val_loss, val_accuracy = evaluate(model, *val_set)
        yield epoch, {"train_loss": train_loss, "val_loss": val_loss, "val_accuracy": val_accuracy}


def train(lr, dropout, weight_decay=0.01, kernel_size=3, batch_size=64, epochs=15, seed=0):
    """Train a new network, log the three metrics after each epoch, and return it with the last of them."""
    torch.set_num_threads(1)  # so small a network is not faster with more
    torch.manual_seed(seed)
    model, metrics = make_model(dropout, kernel_size), {}
    for epoch, metrics in learn(model, *load_data(), lr, weight_decay, batch_size, epochs):
        mlflow.log_metrics(metrics, step=epoch)
        print(f"epoch {epoch:2d}  " + "  ".join(f"{key}={value:.4f}" for key, value in metrics.items()), flush=True)
    return model, metrics


def tile(pictures):
    """Return pictures (rows, columns, 8, 8) in 0..1 as one, enlarged, with white lines between them."""
    grey = (255 * np.nan_to_num(pictures)).astype(np.uint8)
    framed = np.pad(
        grey.repeat(ZOOM, axis=2).repeat(ZOOM, axis=3), [(0, 0), (0, 0), (0, 4), (0, 4)], constant_values=255
    )
    rows, columns, height, width = framed.shape
    return framed.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)


@torch.no_grad()
def feature_maps(model, images, labels):
    """Return a picture: on the left one digit of each class, beside it what the first layer's filters make of it."""
    digits = torch.stack([images[labels == digit][0] for digit in range(10)])
    maps = model[:2](digits)[:, :SHOWN]
    maps = maps / maps.amax(dim=(0, 2, 3), keepdim=True).clamp_min(1e-9)
    return tile(torch.cat([digits, maps], dim=1).numpy())


@torch.no_grad()
def misread(model, images, labels):
    """Return a picture of the digits that are misread, the surest error first, with what it is and what is read."""
    model.eval()
    sure, read = model(images).softmax(dim=1).max(dim=1)
    wrong = [index for index in sure.argsort(descending=True).tolist() if read[index] != labels[index]]
    columns, side, line = 8, 8 * ZOOM, 14
    rows = -(-min(len(wrong), MISREAD) // columns) or 1
    sheet = Image.new("L", (columns * (side + 20), line + rows * (side + 2 * line)), 255)
    draw = ImageDraw.Draw(sheet)
    draw.text((4, 1), f"{len(wrong)} of {len(labels)} are misread (what it is > what is read)")
    for place, index in enumerate(wrong[:MISREAD]):
        x, y = 10 + place % columns * (side + 20), line + 6 + place // columns * (side + 2 * line)
        sheet.paste(Image.fromarray(tile(images[index : index + 1].numpy())[:side, :side]), (x, y))
        draw.text((x + 8, y + side), f"{int(labels[index])} > {int(read[index])}")
    return sheet


def log_model(model, images):
    """Store the model with the run, as a graph that can be loaded without running code."""
    mlflow.pytorch.log_model(
        model,
        name="model",
        serialization_format="pt2",
        input_example=images[:2].numpy(),  # of two, so that the size of a batch is left open
        # Given, for MLflow takes seconds to find them out.
        pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}"],
    )


def main():
    """Train within an MLflow run: the one that started this script, or a new one."""
    args = parse_args()
    started_by_mlflow = "MLFLOW_RUN_ID" in os.environ
    with mlflow.start_run():
        if not started_by_mlflow:
            # Whoever makes the run (`mlflow run`, a tuner) has logged its parameters already.
            mlflow.log_params(vars(args))
        model, _ = train(**vars(args))
        _, val_set = load_data()
        mlflow.log_image(feature_maps(model, *val_set), "feature_maps.png")
        mlflow.log_image(misread(model, *val_set), "misread.png")
        log_model(model, val_set[0])


if __name__ == "__main__":
    main()
