"""The data steps of the taxi platform: extract, load and reconcile one month of one taxi.

Each step is a process of its own: `python -m taxi_etl STEP --taxi TAXI --month YYYY-MM …`.
"""
