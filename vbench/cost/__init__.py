"""What a method costs: multiply-accumulates, time, memory, energy, and the device they hold for."""
