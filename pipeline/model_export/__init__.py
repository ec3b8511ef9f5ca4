"""A finished model as a folder that stands alone, to share and to deploy: docs/predict.md."""
