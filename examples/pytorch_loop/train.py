"""A plain loop of PyTorch with a list of sizes, a switch, and an experiment of its own."""

import argparse

import mlflow
import torch


def network(sizes, bias):
    """Return a network with layers of these sizes."""
    layers = []
    for inner, outer in zip([4, *sizes], [*sizes, 1], strict=True):
        layers += [torch.nn.Linear(inner, outer, bias=bias), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, nargs="+", default=[16, 8], help="sizes of the hidden layers")
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--bias", action="store_true")
    parser.add_argument("--nesterov", action="store_true")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()

    mlflow.set_experiment("torch-loop")
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    y = x.sum(dim=1, keepdim=True)
    model = network(args.hidden, args.bias).to(args.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=args.nesterov)
    with mlflow.start_run():
        mlflow.log_params({"sizes": args.hidden, "with_bias": args.bias, "with_nesterov": args.nesterov})
        for epoch in range(args.epochs):
            loss = torch.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mlflow.log_metric("loss", loss.item(), step=epoch)
    print("result", loss.item())


if __name__ == "__main__":
    main()
