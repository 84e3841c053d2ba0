"""Pictures and texts of running episodes; `mmwave_gym.render.make_renderer` is the way in."""
