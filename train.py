"""Train one model, or sweep many with -m: python train.py -m model=lstm,gru batch_size=32,64

python train.py resume=DIR goes on with the sweep in DIR.
"""

from ddrsa.commands.train import main

if __name__ == "__main__":
    main()
