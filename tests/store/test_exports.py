"""Tables of curves as people have them: tidy, and as W&B, TensorBoard and MLflow export them."""

from pathlib import Path

import pandas as pd
import pytest

from tips_ray.errors import UserError
from tips_ray.store.exports import read_tables

TIDY = "method,seed,epoch,pa_mpjpe\na,0,1,60.5\na,0,2,50\n"


def written(folder: Path, **files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        paths.append(folder / f"{name}.csv")
        paths[-1].write_text(text)
    return paths


@pytest.mark.parametrize("text", [TIDY, TIDY.replace(",", ";"), TIDY.replace(",", "\t"), TIDY.replace("seed", " seed ")])
def test_a_tidy_table_stays_as_it_is(tmp_path: Path, text: str) -> None:
    table = read_tables(written(tmp_path, curves=text))
    assert list(table.columns) == ["method", "seed", "epoch", "pa_mpjpe"]
    assert table["pa_mpjpe"].tolist() == [60.5, 50]


def test_numbers_may_have_a_decimal_comma(tmp_path: Path) -> None:
    table = read_tables(written(tmp_path, curves="method;epoch;pa_mpjpe\na;1;60,5\na;2;50,25\n"))
    assert table["pa_mpjpe"].tolist() == [60.5, 50.25]


@pytest.mark.parametrize("listed", [False, True])
def test_json_has_an_object_a_row(tmp_path: Path, listed: bool) -> None:
    rows = ['{"epoch": 1, "loss": 2.5}', '{"epoch": 1, "pa_mpjpe": 60.5}', '{"epoch": 2, "pa_mpjpe": NaN}']
    (tmp_path / "scalars.json").write_text(f"[{', '.join(rows)}]" if listed else "\n".join(rows) + "\n")
    table = read_tables([tmp_path / "scalars.json"])
    assert list(table.columns) == ["epoch", "loss", "pa_mpjpe"]
    assert table["pa_mpjpe"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize("text", ["[1, 2]", "1\n2\n", '{"epoch": 1', ""])
def test_json_without_rows_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "curves.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"no table of curves|has no rows"):
        read_tables([tmp_path])


def test_parquet_is_read(tmp_path: Path) -> None:
    pd.DataFrame({"epoch": [1, 2], "fid": [9.0, 8.0]}).to_parquet(tmp_path / "curves.parquet")
    assert read_tables([tmp_path / "curves.parquet"])["fid"].tolist() == [9, 8]


def test_several_files_are_runs_by_their_names(tmp_path: Path) -> None:
    paths = written(tmp_path, seed0="epoch,fid\n1,9\n", seed1="epoch,fid\n1,8\n")
    assert read_tables(paths)["file"].tolist() == ["seed0", "seed1"]
    assert read_tables([tmp_path]).equals(read_tables(paths))


def test_files_of_one_name_are_runs_by_their_folders(tmp_path: Path) -> None:
    for run in ("seed0", "seed1"):
        (tmp_path / run / "vis_data").mkdir(parents=True)
        (tmp_path / run / "vis_data/scalars.json").write_text('{"step": 1, "fid": 9}\n')
    table = read_tables(sorted(tmp_path.rglob("*.json")))
    assert table["file"].tolist() == ["seed0/vis_data/scalars", "seed1/vis_data/scalars"]


def test_a_chart_of_wandb_has_a_column_a_run(tmp_path: Path) -> None:
    header = '"Step","solo - 3 - val/pa","solo - 3 - val/pa__MIN","solo - 3 - val/pa__MAX","parts-1 - val/pa"'
    table = read_tables(written(tmp_path, chart=f'{header}\n"10","61","60","62","50"\n"20","59","58","60",""\n'))
    assert table.to_dict("list") == {"run": ["solo - 3", "solo - 3", "parts-1"], "Step": [10, 20, 10], "val/pa": [61, 59, 50]}


def test_rows_of_mlflow_have_a_value_each(tmp_path: Path) -> None:
    rows = "run_id,key,value,step,timestamp\n1,pa,60,0,5\n1,pa,50,1,6\n1,loss,2,0,5\n1,loss,1,1,6\n2,pa,70,0,5\n"
    table = read_tables(written(tmp_path, metrics=rows))
    assert list(table.columns) == ["run", "step", "loss", "pa"]
    assert table[["run", "step", "pa"]].to_numpy().tolist() == [[1, 0, 60], [1, 1, 50], [2, 0, 70]]
    assert table["loss"].tolist()[:2] == [2, 1]


def test_files_of_tensorboard_name_their_run_and_metric(tmp_path: Path) -> None:
    head = "Wall time,Step,Value\n"
    files = {
        "run-solo_0-tag-val_pa": f"{head}5.1,1,60\n6.1,2,50\n",
        "run-solo_0-tag-loss": f"{head}5.1,1,3\n6.1,2,2\n",
        "run-solo_1-tag-val_pa": f"{head}5.1,1,61\n",
    }
    table = read_tables(written(tmp_path, **files))
    assert table[["run", "step", "val_pa"]].to_numpy().tolist() == [["solo_0", 1, 60], ["solo_0", 2, 50], ["solo_1", 1, 61]]
    assert table["loss"].tolist()[:2] == [3, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no table of curves"),
        ("epoch,fid\n", "has no rows"),
        ("key,value\nfid,3\n", "none says of which step"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_tables(written(tmp_path, curves=text))


def test_an_empty_folder_and_damaged_parquet_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file of curves"):
        read_tables([tmp_path])
    (tmp_path / "curves.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="no table of curves"):
        read_tables([tmp_path / "curves.parquet"])
