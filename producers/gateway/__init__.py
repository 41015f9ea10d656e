"""Say it from any language: predictions, labels and deployments over HTTP. Needs the extra ``hindcast[gateway]``."""
