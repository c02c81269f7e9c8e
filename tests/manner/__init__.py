"""Training code in the manner of MLflow's own examples: it knows nothing of mlflow_tune."""
