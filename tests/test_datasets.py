"""Every layout of captioned photos, and every way in which one can be broken."""

import json
import logging
import os
import random
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from captioner.datasets import PhotoSet, divide, read_dataset, write_split
from captioner.errors import InputError


def draw(folder: Path, *names: str) -> None:
    """Tiny photos under these names."""
    for number, name in enumerate(names):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number % 256, 0, 0)).save(file, format="JPEG")


def coco(images: dict[int, str], captions: list[tuple[int, str]]) -> dict:
    return {
        "images": [{"id": number, "file_name": name} for number, name in images.items()],
        "annotations": [
            {"id": number, "image_id": image, "caption": caption}
            for number, (image, caption) in enumerate(captions)
        ],
    }


def write(file: Path, content: object) -> Path:
    """Text as it is, anything else as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    file.write_bytes(text.encode())
    return file


def members(dataset: PhotoSet) -> dict[str, dict[str, tuple[str, ...]]]:
    """Captions by file name by split."""
    return {
        split: {dataset.name(photo): photo.captions for photo in photos}
        for split, photos in dataset.splits.items()
    }


def coco_folder(root: Path) -> Path:
    draw(root / "images", "a.jpg", "b.JPG", "c.png")
    train = coco({1: "b.JPG", 2: "a.jpg"}, [(1, "A dog ."), (2, " Two\tcats"), (1, "A DOG")])
    del train["annotations"][1]["id"]
    train["images"][0]["scene"] = {"background": "sky"}
    write(root / "captions_train.json", train)
    write(root / "captions_test.json", coco({1: "c.png"}, [(1, "A boat")]))
    return root


def test_coco_folder(tmp_path):
    dataset = read_dataset(coco_folder(tmp_path))
    assert dataset.layout == "coco"
    assert members(dataset) == {
        "train": {"images/a.jpg": (" Two\tcats",), "images/b.JPG": ("A dog .", "A DOG")},
        "test": {"images/c.png": ("A boat",)},
    }
    first, second = dataset.split("train")
    assert (first.file, first.image_id, first.facts) == (tmp_path / "images" / "a.jpg", 2, None)
    assert (second.image_id, second.facts) == (1, {"background": "sky"})
    with pytest.raises(InputError, match=r"no split 'val'; choose among: train, test"):
        dataset.split("val")


def test_nothing_is_printed_and_nothing_heavy_is_imported(tmp_path, capsys):
    read_dataset(coco_folder(tmp_path))
    assert capsys.readouterr() == ("", "")
    program = "import sys, captioner.datasets; print({'numpy', 'torch', 'PIL'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert out.stdout == "set()\n"


@pytest.mark.parametrize("top", ["", "images/"])
def test_official_coco(tmp_path, top):
    names = [f"{number:012}.jpg" for number in range(14)]
    draw(tmp_path / top / "train2017", *names[:4])
    draw(tmp_path / top / "val2017", *names[4:])
    for split, part in (("train", range(4)), ("val", range(4, 14))):
        images = {number: names[number] for number in part}
        file = tmp_path / "annotations" / f"captions_{split}2017.json"
        write(file, coco(images, [(number, "A cat") for number in part]))
    # Annotations of another year, without their photos, do not get in the way.
    write(tmp_path / "annotations" / "captions_train2014.json", coco({1: "x.jpg"}, [(1, "A cat")]))
    dataset = read_dataset(tmp_path)
    found = {
        split: [photo.image_id for photo in photos] for split, photos in dataset.splits.items()
    }
    assert dataset.layout == "coco-official"
    assert found["train"] == [0, 1, 2, 3]
    assert len(found["val"]) == len(found["test"]) == 5
    assert sorted(found["val"] + found["test"]) == list(range(4, 14))
    assert read_dataset(tmp_path) == dataset
    assert read_dataset(tmp_path, seed=1) != dataset

    alone = read_dataset(tmp_path / "annotations" / "captions_val2017.json")
    assert (alone.layout, alone.root) == ("coco-file", tmp_path)
    assert {split: len(photos) for split, photos in alone.splits.items()} == {
        "train": 8,
        "val": 1,
        "test": 1,
    }


@pytest.mark.parametrize("folder", ["", "images"])
def test_one_coco_file(tmp_path, folder):
    draw(tmp_path / folder, "a.jpg")
    file = write(tmp_path / "mine.json", coco({7: "a.jpg"}, [(7, "A cat")]))
    assert [photo.image_id for photo in read_dataset(file).split("train")] == [7]


@pytest.mark.parametrize("flat", [False, True])
def test_karpathy(tmp_path, flat):
    splits = ["train", "restval", "val", "test"]
    images = [
        {
            "filepath": "train2014" if split == "train" else "val2014",
            "filename": f"{split}.jpg",
            "split": split,
            "sentences": [{"raw": "A cat.", "tokens": ["a", "cat"]}, {"raw": "Cats"}],
            "cocoid": number,
        }
        for number, split in enumerate(splits)
    ]
    del images[0]["cocoid"]
    for image in images:
        draw(tmp_path / "images" / ("" if flat else image["filepath"]), image["filename"])
    file = write(tmp_path / "dataset_coco.json", {"images": images, "dataset": "coco"})
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "karpathy"
    assert {
        split: {photo.image_id: photo.captions for photo in photos}
        for split, photos in dataset.splits.items()
    } == {
        "train": {"train.jpg": ("A cat.", "Cats"), 1: ("A cat.", "Cats")},
        "val": {2: ("A cat.", "Cats")},
        "test": {3: ("A cat.", "Cats")},
    }
    assert read_dataset(file) == dataset
    write(tmp_path / "dataset_flickr8k.json", {"images": images})
    with pytest.raises(
        InputError, match=r"dataset_coco.json, dataset_flickr8k.json; give the path"
    ):
        read_dataset(tmp_path)


def test_karpathy_faults(tmp_path):
    draw(tmp_path, "a.jpg", "b.jpg")
    good = {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A cat"}], "cocoid": 1}
    bad = [good | {"split": "dress"}, good | {"sentences": [3]}, {"filename": "a.jpg"}]
    bad.append(good | {"filename": "b.jpg"})
    write(tmp_path / "dataset.json", {"images": [good, *bad]})
    with pytest.raises(InputError, match=r"bad entries: 5") as error:
        read_dataset(tmp_path)
    assert "unknown split 'dress'" in str(error.value)
    assert "images[2].sentences[0] is not an object with 'raw' of type str" in str(error.value)
    assert "images[3] is not an object with 'split'" in str(error.value)
    assert "'b.jpg' has the image id 1 of another photo" in str(error.value)
    assert members(read_dataset(tmp_path, skip_bad=True)) == {"train": {"a.jpg": ("A cat",)}}


TABLES = {
    "captions.txt": 'image,caption\na.jpg, A cat\nb.jpg, "A dog , a ""red"" one"\na.jpg,Cats\n',
    "results.csv": "image_name| comment_number| comment\na.jpg| 0| A cat\n"
    'b.jpg| 4   A dog , a "red" one\na.jpg| 1| Cats\n',
    "results_20130124.token": 'a.jpg#0\tA cat\nb.jpg#0\tA dog , a "red" one\na.jpg#1\tCats\n',
    "Flickr8k.token.txt": 'a.jpg#0\tA cat\r\nb.jpg#0\tA dog , a "red" one\r\na.jpg#1\tCats\r\n',
    "captions.csv": '\ufeffa.jpg;A cat\r\n"b.jpg";"A dog , a ""red"" one"\r\n\r\na.jpg;Cats',
}


@pytest.mark.parametrize(
    "folder", ["", "images", "Images", "Flicker8k_Dataset", "flickr30k_images"]
)
@pytest.mark.parametrize("table", TABLES)
def test_tables(tmp_path, table, folder):
    draw(tmp_path / folder, "a.jpg", "b.jpg")
    file = write(tmp_path / table, TABLES[table])
    write(tmp_path / "Flickr8k.lemma.token.txt", "a.jpg#0\tcat\n")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == ("csv" if table == "captions.csv" else "flickr")
    assert [(photo.image_id, photo.captions) for photo in dataset.split("train")] == [
        ("a.jpg", ("A cat", "Cats")),
        ("b.jpg", ('A dog , a "red" one',)),
    ]
    assert read_dataset(file) == dataset


def test_flickr8k_lists(tmp_path):
    draw(tmp_path / "Flicker8k_Dataset", "a.jpg", "b.jpg", "c.jpg")
    text = tmp_path / "Flickr8k_text"
    write(text / "Flickr8k.token.txt", "".join(f"{n}.jpg#0\tA cat\n" for n in "abcde"))
    for word, name in (("train", "c"), ("dev", "a"), ("test", "b")):
        write(text / f"Flickr_8k.{word}Images.txt", f"{name}.jpg\n")
    # d.jpg and e.jpg are in no list, so nobody misses them.
    assert members(read_dataset(tmp_path)) == {
        "train": {"Flicker8k_Dataset/c.jpg": ("A cat",)},
        "val": {"Flicker8k_Dataset/a.jpg": ("A cat",)},
        "test": {"Flicker8k_Dataset/b.jpg": ("A cat",)},
    }
    write(text / "Flickr_8k.testImages.txt", "c.jpg\nx.jpg\n")
    with pytest.raises(InputError, match=r"x\.jpg has no captions") as error:
        read_dataset(tmp_path)
    assert "'c.jpg' is in two splits, test, train" in str(error.value)


def test_csv_with_splits(tmp_path):
    draw(tmp_path, "a.webp", "sub/b.jpg", "c.jpg")
    write(tmp_path / "captions.csv", "caption,split,File name\nA,train,a.webp\nB,dev,sub\\b.jpg\n")
    expected = {"train": {"a.webp": ("A",)}, "val": {"sub/b.jpg": ("B",)}}
    assert members(read_dataset(tmp_path)) == expected
    write(tmp_path / "captions.csv", "a.webp,A,train\nsub/b.jpg,B,VAL\n")
    assert members(read_dataset(tmp_path)) == expected
    write(tmp_path / "captions.csv", "a.webp,A,train\nsub/b.jpg,B,\nc.jpg,C,dress\na.webp,A,test\n")
    with pytest.raises(InputError, match=r"bad entries: 3") as error:
        read_dataset(tmp_path)
    assert "'sub/b.jpg' is in no split" in str(error.value)
    assert "line 3 has the unknown split 'dress'" in str(error.value)
    assert "'a.webp' is in two splits, test, train" in str(error.value)


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_names_and_captions_of_every_script(tmp_path, on_disk, written):
    for name in ("dossier é/café.jpg", "犬 🐕.jpg"):
        draw(tmp_path / "images", unicodedata.normalize(on_disk, name))
    rows = unicodedata.normalize(written, "dossier é/café.jpg,Un café\n犬 🐕.jpg,犬が走る 🐕\n")
    write(tmp_path / "captions.csv", rows + unicodedata.normalize("NFC", "dossier é/café.jpg,☕"))
    dataset = read_dataset(tmp_path)
    assert all(photo.file.is_file() for photo in dataset.split("train"))
    assert members(dataset) == {
        "train": {
            "images/dossier é/café.jpg": (unicodedata.normalize(written, "Un café"), "☕"),
            "images/犬 🐕.jpg": (unicodedata.normalize(written, "犬が走る 🐕"),),
        }
    }


def test_splits_depend_on_names_and_seed_alone(tmp_path):
    rows = [f"{number}.jpg,Photo {number}" for number in range(40)]
    datasets = []
    for place, seed in (("one", 0), ("two", 0), ("three", 1)):
        random.Random(place).shuffle(rows)
        draw(tmp_path / place, *(row.partition(",")[0] for row in rows))
        write(tmp_path / place / "captions.csv", "\n".join(rows))
        datasets.append(read_dataset(tmp_path / place, seed=seed))
    one, two, three = datasets
    assert members(one) == members(two) != members(three)
    assert one.fingerprint() == two.fingerprint() != three.fingerprint()
    assert {split: len(photos) for split, photos in one.splits.items()} == {
        "train": 32,
        "val": 4,
        "test": 4,
    }
    write_split(one, tmp_path / "split.json")
    split = json.loads((tmp_path / "split.json").read_text())
    assert split == {name: list(photos) for name, photos in members(one).items()}


@pytest.mark.parametrize(
    ("photos", "sizes"), [(1, [1]), (2, [2]), (3, [1, 1, 1]), (29, [25, 2, 2])]
)
def test_sizes_of_drawn_splits(photos, sizes):
    counts = Counter(divide([f"{number}.jpg" for number in range(photos)], seed=3))
    assert [counts[split] for split in ("train", "val", "test")] == sizes + [0] * (3 - len(sizes))


def test_a_new_photo_moves_few_others():
    names = [f"{number}.jpg" for number in range(200)]
    before = divide(names, seed=0)
    after = divide(["new.jpg", *names], seed=0)[1:]
    assert sum(one != other for one, other in zip(before, after, strict=True)) <= 2


def test_fingerprint_sees_captions_but_not_places(tmp_path):
    one, two = (coco_folder(tmp_path / name) for name in ("one", "two"))
    assert read_dataset(one).fingerprint() == read_dataset(two).fingerprint()
    file = two / "captions_test.json"
    file.write_text(file.read_text().replace("A boat", "A goat"))
    assert read_dataset(one).fingerprint() != read_dataset(two).fingerprint()


def test_each_folder_is_listed_once(tmp_path, monkeypatch):
    names = [f"{number}.jpg" for number in range(50)]
    for name in names:
        write(tmp_path / "images" / name, "")
    write(tmp_path / "captions.csv", "".join(f"{name},A cat\n" for name in names))
    listed = Counter()
    scandir = os.scandir

    def counted(folder):
        listed[Path(folder).relative_to(tmp_path).as_posix()] += 1
        return scandir(folder)

    monkeypatch.setattr("captioner.datasets.os.scandir", counted)
    assert sum(len(photos) for photos in read_dataset(tmp_path).splits.values()) == 50
    assert listed["images"] == 1


IMAGES, CAPTIONS = {1: "a.jpg", 2: "b.JPG"}, [(1, "A cat"), (2, "A dog")]
ENTRY_FAULTS = {
    "image of a caption": (
        coco(IMAGES, [*CAPTIONS, (9, "A cow")]),
        r"annotations\[2\] is a caption of image id 9, which is not among the images",
    ),
    "image without captions": (coco(IMAGES | {3: "c.png"}, CAPTIONS), "'c.png' has no caption"),
    "missing photo": (coco(IMAGES | {3: "d.jpg"}, [*CAPTIONS, (3, "A")]), "'d.jpg' is missing"),
    "blank caption": (
        coco(IMAGES, [*CAPTIONS, (1, " \u3000\n")]),
        "'a.jpg' has a caption that is blank",
    ),
    "half a character": (
        coco(IMAGES, [*CAPTIONS, (1, "A \ud83d")]),
        "'a.jpg' has a caption that holds half of a character",
    ),
    "blank name": (coco(IMAGES | {3: ""}, [*CAPTIONS, (3, "A")]), "'' has a name that is blank"),
    "listed twice": (
        coco(IMAGES | {3: "./a.jpg"}, [*CAPTIONS, (3, "A cow")]),
        "'./a.jpg' is listed twice",
    ),
    "parent": (coco(IMAGES | {3: "../o.jpg"}, [*CAPTIONS, (3, "A")]), "'../o.jpg' lies outside"),
    "inner parent": (
        coco(IMAGES | {3: "x/..\\..\\o.jpg"}, [*CAPTIONS, (3, "A")]),
        "lies outside the data set",
    ),
    "absolute": (coco(IMAGES | {3: "/o.jpg"}, [*CAPTIONS, (3, "A")]), "'/o.jpg' lies outside"),
    "drive": (coco(IMAGES | {3: "C:\\o.jpg"}, [*CAPTIONS, (3, "A")]), "lies outside"),
    "folder": (coco(IMAGES | {3: "folder"}, [*CAPTIONS, (3, "A")]), "'folder' is missing"),
    "broken link": (coco(IMAGES | {3: "link.jpg"}, [*CAPTIONS, (3, "A")]), "'link.jpg' is missing"),
}
SHAPE_FAULTS = {
    "no caption": ("annotations", {"image_id": 1}, r"\[2\] is not an object with 'caption'"),
    "no image": ("annotations", {"caption": "A"}, r"\[2\] is not an object with 'image_id'"),
    "number": ("annotations", {"image_id": 1, "caption": 5}, "with 'caption' of type str"),
    "list": ("annotations", {"image_id": [1], "caption": "A"}, "'image_id' of type int or str"),
    "text": ("annotations", "A cat", "is not an object"),
    "no file": ("images", {"id": 3}, r"images\[2\] is not an object with 'file_name'"),
    "true": ("images", {"id": True, "file_name": "c.png"}, "'id' of type int or str"),
    "same id": ("images", {"id": 2, "file_name": "b.JPG"}, "image id 2 stands twice"),
}
for name, (section, item, message) in SHAPE_FAULTS.items():
    broken = coco(IMAGES, CAPTIONS)
    broken[section].append(item)
    ENTRY_FAULTS[f"{section}: {name}"] = (broken, message)


@pytest.mark.parametrize("fault", ENTRY_FAULTS)
def test_bad_entries_are_refused_or_left_out(tmp_path, fault, caplog):
    data, message = ENTRY_FAULTS[fault]
    draw(tmp_path, "o.jpg", "root/images/a.jpg", "root/images/b.JPG", "root/images/c.png")
    (tmp_path / "root" / "images" / "folder").mkdir()
    (tmp_path / "root" / "images" / "link.jpg").symlink_to("link.jpg")
    file = tmp_path / "root" / "captions_train.json"
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match=message) as error:
        read_dataset(file.parent)
    assert f"{file}: " in str(error.value)
    assert "bad entries: 1," in str(error.value)
    assert "--skip-bad" in str(error.value)
    with caplog.at_level(logging.WARNING, logger="captioner"):
        dataset = read_dataset(file.parent, skip_bad=True)
    assert len(caplog.messages) == 1
    assert "left out bad entries: 1, first" in caplog.messages[0]
    assert members(dataset) == {
        "train": {"images/a.jpg": ("A cat",), "images/b.JPG": ("A dog",)},
    }


def test_an_id_of_two_photos_keeps_neither(tmp_path):
    draw(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    data = coco({1: "a.jpg", 2: "b.jpg"}, [(1, "A cat"), (2, "A dog")])
    data["images"].append({"id": 1, "file_name": "c.jpg"})
    write(tmp_path / "captions_train.json", data)
    assert members(read_dataset(tmp_path, skip_bad=True)) == {"train": {"b.jpg": ("A dog",)}}


def test_a_photo_in_two_splits_leaves_train(tmp_path):
    draw(tmp_path, "a.jpg", "b.jpg")
    write(tmp_path / "captions_train.json", coco({1: "a.jpg", 2: "b.jpg"}, [(1, "A"), (2, "B")]))
    write(tmp_path / "captions_val.json", coco({1: "a.jpg"}, [(1, "A")]))
    with pytest.raises(InputError, match=r"'a\.jpg' is in two splits, val, train"):
        read_dataset(tmp_path)
    expected = {"train": {"b.jpg": ("B",)}, "val": {"a.jpg": ("A",)}}
    assert members(read_dataset(tmp_path, skip_bad=True)) == expected


def test_the_first_five_problems_and_their_number(tmp_path):
    draw(tmp_path, "a.jpg")
    write(tmp_path / "captions.csv", "a.jpg,A\n" + "".join(f"{n}.png,A\n" for n in range(8)))
    with pytest.raises(InputError, match=r"bad entries: 8, the first of them:") as error:
        read_dataset(tmp_path)
    assert str(error.value).count("is missing") == 5
    write(tmp_path / "captions.csv", "0.png,A\n1.png,A\n")
    with pytest.raises(InputError, match=r"has no photo with a caption(.|\n)*'0.png' is missing"):
        read_dataset(tmp_path, skip_bad=True)


JSON_FAULTS = {
    "empty": (b" \n", "is empty"),
    "cut short": (b'{"images": [],\n "annotations": [', "is not valid JSON: line 2, column 18"),
    "list": (b"[]", "is not a JSON object with a list 'images'"),
    "no annotations": (b'{"images": []}', "with a list 'annotations'"),
    "wrong section": (b'{"images": {}, "annotations": []}', "with a list 'images'"),
    "deep": (b"[" * 100_000, "is no usable JSON"),
    "no photo": (b'{"images": [], "annotations": []}', "has no photo with a caption"),
    "encoding": ('{"images":\n "é"}'.encode("latin-1"), "not UTF-8 text: byte 0xe9 in line 2"),
}
CSV_FAULTS = {
    "columns": (b"name,words\na.jpg,A cat\n", "has the columns 'name, words' in its first line"),
    "one column": (b"a.jpg\nb.jpg\n", "has the columns 'a.jpg' in its first line"),
    "row": (b"file,caption\na.jpg,A cat, a dog\n", "line 2 has 3 columns, not 2; a caption with"),
    "open quote": (b'a.jpg,A\nb.jpg,"A cat\nc.jpg,C\n', "is no valid CSV in line 3"),
    "loose quote": (b'a.jpg,"A" cat\n', "is no valid CSV in line 1"),
    "blank": (b"a.jpg,\n", "photo 'a.jpg' has a caption that is blank"),
    "header alone": (b"file,caption\n", "has no photo with a caption"),
    "encoding": (b"\xef\xbb\xbfa.jpg,A\na.jpg,caf\xe9\n", "byte 0xe9 in line 2; save the file"),
    "token line": (b"a.jpg#0\tA cat\na.jpg A cat\n", "line 2 names no photo and caption"),
}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("captions_train.json", *fault) for fault in JSON_FAULTS.values()]
    + [("captions.csv", *fault) for fault in CSV_FAULTS.values()],
    ids=[*JSON_FAULTS, *(f"csv {name}" for name in CSV_FAULTS)],
)
def test_unusable_files(tmp_path, name, content, message):
    draw(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_dataset(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_paths_that_hold_no_captions(tmp_path):
    with pytest.raises(InputError, match=r"nowhere does not exist"):
        read_dataset(tmp_path / "nowhere")
    draw(tmp_path, "a.jpg")
    for path in (tmp_path, tmp_path / "a.jpg"):
        with pytest.raises(InputError) as error:
            read_dataset(path)
        for wanted in ("captions_train.json", "train2017", "dataset_coco.json", "captions.csv"):
            assert wanted in str(error.value)


@pytest.mark.photos
@pytest.mark.parametrize(
    ("name", "sizes", "captions"),
    [
        ("flickr8k", [6090, 1000, 900], [30450, 5000, 4500]),
        ("coco2017_small", [278, 35, 31], [1390, 175, 155]),
    ],
)
def test_real_photos(photos, name, sizes, captions):
    splits = read_dataset(photos / name).splits
    assert list(splits) == ["train", "val", "test"]
    assert [len(of_split) for of_split in splits.values()] == sizes
    assert [sum(len(p.captions) for p in of_split) for of_split in splits.values()] == captions
