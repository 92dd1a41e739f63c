"""Settings that go together, by name: what `captioner train NAME` trains with."""

from dataclasses import replace

from captioner.config import TrainConfig

PRESETS: dict[str, TrainConfig] = {}
"""Settings by name. Each comment states command, data, time on two cores, and CIDEr-D to expect."""

# python train.py lstm --data data/flickr8k: 8 epochs of 30,450 captions in 20 minutes on one of two
# cores (Xeon, 2.5 GHz); CIDEr-D 0.447 on the validation photos by greedy search, 0.483 with beam 3.
PRESETS["lstm"] = TrainConfig()

# python train.py gru --data data/flickr8k: likewise, 18 minutes, 0.456 and 0.483.
PRESETS["gru"] = replace(PRESETS["lstm"], cell="gru")

# python train.py rnn --data data/flickr8k: likewise, 10 minutes, 0.403 and 0.427.
PRESETS["rnn"] = replace(PRESETS["lstm"], cell="rnn", learning_rate=5e-4)

# python train.py attention --data data/flickr8k: looks at the photo's places before each word, and
# learns from four views of each photo; 39 minutes on one of two cores (Xeon with AMX, beside other
# work), CIDEr-D 0.487 by greedy search, 0.58 where what people would say chooses among 20 beams.
PRESETS["attention"] = replace(
    PRESETS["lstm"],
    decoder="attention",
    attention=256,
    views=4,
    label_smoothing=0.1,
    average=0.998,
    epochs=10,
)

# python train.py adaptive --data data/flickr8k: likewise, and may look away from the photo; as
# quick as `attention`, CIDEr-D 0.499 by greedy search after eight epochs.
PRESETS["adaptive"] = replace(PRESETS["attention"], decoder="adaptive")

# python train.py: learns the drawn scenes in 3 minutes on two cores, besides two to draw them and
# to put them through the CNN; CIDEr-D 2.45 on the test pictures. Their colours are lost in the
# CNN's last map, so the early ones are taken too.
PRESETS["demo"] = TrainConfig(
    backbone="tf_efficientnet_lite0",
    maps="early+last",
    hidden=256,
    dropout=0.2,
    learning_rate=3e-3,
    batch_size=128,
    epochs=10,
)

# python train.py fine-tune --begin-with RUN --data data/flickr8k: the end of the CNN learns, too.
PRESETS["fine-tune"] = TrainConfig(
    cnn_learning_rate=5e-5, learning_rate=3e-4, epochs=6, label_smoothing=0.1, average=0.998
)

# python train.py self-critical --begin-with RUN --data data/flickr8k: goes on with any captioner.
# From that of `attention`, with --views 4 --dropout 0.5 --average 0.99 --epochs 6: 33 minutes on
# one of two cores (as above), CIDEr-D from 0.487 to 0.513 by greedy search.
PRESETS["self-critical"] = TrainConfig(
    self_critical=True, dropout=0.0, learning_rate=5e-5, weight_decay=0.0, epochs=10, clip_norm=1.0
)

# python train.py tiny: seconds, to try a data set or the program itself.
PRESETS["tiny"] = TrainConfig(
    embedding=32,
    hidden=64,
    dropout=0.0,
    min_count=1,
    learning_rate=5e-3,
    warmup=5,
    batch_size=16,
    epochs=4,
    backbone="tf_efficientnet_lite0",
)
