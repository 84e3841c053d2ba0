"""Pictures and texts of running episodes; `mmwave_gym.rendering.renderer.make_renderer` is the way in."""
