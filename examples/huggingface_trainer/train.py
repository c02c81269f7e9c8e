"""The Trainer of Hugging Face on a tiny BERT that is made on the spot: nothing is downloaded.

The sentences are eight tokens long; a sentence is positive when it holds token 5 more often than token 6. The Trainer's
own MLflow callback logs to the run that MLFLOW_RUN_ID names.
"""

import argparse
import tempfile

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments


def sentences(count, seed):
    """Return so many sentences with their labels."""
    tokens = torch.randint(1, 16, (count, 8), generator=torch.Generator().manual_seed(seed))
    labels = ((tokens == 5).sum(1) > (tokens == 6).sum(1)).long()
    return [{"input_ids": words, "labels": label} for words, label in zip(tokens, labels, strict=True)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=4)
    args = parser.parse_args()

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=16, hidden_size=args.hidden, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            folder,
            learning_rate=args.lr,
            num_train_epochs=args.epochs,
            per_device_train_batch_size=32,
            eval_strategy="epoch",
            logging_strategy="epoch",
            save_strategy="no",
            report_to="mlflow",
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = Trainer(
            BertForSequenceClassification(config),
            settings,
            train_dataset=sentences(512, 0),
            eval_dataset=sentences(128, 1),
        )
        trainer.train()


if __name__ == "__main__":
    main()
