"""The processor is named so that one can tell it from another of the same maker."""

import platform

from maestrata.machine import processor

CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC

processor\t: 1
model name\t: another
"""


def test_name_has_family_and_model(tmp_path):
    told = tmp_path / "cpuinfo"
    told.write_text(CPUINFO)
    assert processor(told) == "AMD EPYC (family 25, model 17)"


def test_elsewhere_it_is_what_python_knows(tmp_path):
    assert processor(tmp_path / "not there") == platform.processor()
    other = tmp_path / "arm"
    other.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    assert processor(other) == platform.processor()
