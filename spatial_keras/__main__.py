"""python -m spatial_keras NAME ...: the commands, such as train; see `spatial_keras.commands`."""

from spatial_keras import commands

if __name__ == "__main__":
    commands.main()
