"""Files judged offline: by the schemas and rules that the API server has, then as the operator reads them."""
