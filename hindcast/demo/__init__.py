"""The demo: a year of real flights, from departure to verdict. `hindcast demo` and ``make demo`` run it."""
