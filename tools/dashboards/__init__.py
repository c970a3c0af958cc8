"""The dashboards' readable sources: `python -m tools.dashboards` writes the saved objects in contrib/dashboards/."""
