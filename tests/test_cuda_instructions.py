"""What kernels cost is read from the disassembler's text."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import cuda_instructions, machine_code
from benchmarks.cuda_instructions import resident, widths
from benchmarks.machine_code import around, cycles, hottest, loops, parsed
from graphc.backends.cuda import compilation

TEXT = """
\t.section\t.text.tiles,"ax",@progbits
tiles:
        /*0000*/                   S2R R9, SR_CTAID.X ;
.L_x_0:
        /*0010*/                   LDGSTS.E.BYPASS.128 [R21], desc[UR6][R2.64] ;
        /*0020*/               @P0 BRA `(.L_x_0) ;
.L_x_1:
        /*0030*/                   LDSM.16.M88.4 R96, [R96] ;
        /*0040*/                   LOP3.LUT R2, R2, 0xc, RZ, 0xc0, !PT ;
        /*0050*/                   HMMA.16816.F32.BF16 R4, R96, R8, R4 ;
        /*0060*/                   HGMMA.64x256x16.F32.BF16 R24, gdesc[UR20], R24 ;
        /*0070*/               @P1 BRA `(.L_x_1) ;
        /*0080*/                   STG.E.64 desc[UR4][R2.64], R4 ;
        /*0090*/                   EXIT ;
.L_x_2:
        /*00a0*/                   BRA `(.L_x_2);
        /*00b0*/                   NOP;
\t.section\t.text.elements,"ax",@progbits
        /*0000*/                   LDG.E.128.CONSTANT R4, desc[UR4][R4.64] ;
        /*0010*/                   MUFU.EX2 R0, R4 ;
        /*0020*/                   FFMA R0, R0, R0, 1 ;
        /*0030*/                   STG.E.U16 desc[UR4][R2.64], R0 ;
        /*0040*/                   EXIT ;
"""


def test_loops_are_found() -> None:
    code = parsed(TEXT)
    assert [len([x for x in c if x.name]) for c in code.values()] == [10, 5]
    tiles, elements = code.values()
    assert len(loops(tiles)) == 2 and hottest(elements) is None
    at = hottest(tiles)
    assert at is not None
    names = [x.name for x in tiles[at.first : at.last + 1] if x.name]
    assert names[0] == "LDSM.16.M88.4" and names[-1] == "BRA", "that which multiplies"


def test_instructions_cost_what_their_units_take() -> None:
    tiles, elements = parsed(TEXT).values()
    at = hottest(tiles)
    assert at is not None
    found = cycles(tiles[at.first : at.last + 1], copied=80)
    assert found["issue"] == 5 / 4 and found["integer"] == 1 / 2
    assert found["tensor"] == 16 * 8 * 16 / 1024 + 64 * 256 * 16 / 2048 / 4
    assert found["shared"] == 32 * 16 / 128 + (64 + 256) * 16 * 2 / 4 / 128
    assert found["cache"] == 80 / 40
    found = cycles(elements)
    assert found["special"] == 2 and found["math"] == 1 / 4
    assert found["memory"] == 32 * (16 + 2) / 16
    assert widths(elements, "load") == "1x16" and widths(elements, "store") == "1x2"


def test_a_loop_around_another_takes_its_turns() -> None:
    within = TEXT.replace("S2R R9, SR_CTAID.X ;", "NOP ;\n.L_x_9:").replace(
        "STG.E.64 desc[UR4][R2.64], R4 ;", "@P2 BRA `(.L_x_9) ;"
    )
    code = parsed(within)["tiles"]
    at = hottest(code)
    assert at is not None
    outer, done = around(code, at, 3)
    assert outer.first < at.first and at.last < outer.last
    names = [x.base for x in done if x.name]
    assert names.count("HMMA") == 3 and names.count("LDGSTS") == 1
    with pytest.raises(ValueError, match="no loop around"):
        around(code, outer, 2)


def test_blocks_have_room() -> None:
    assert resident(255, 98304, 128, "sm_90a") == 2, "of shared memory"
    assert resident(168, 0, 384, "sm_90") == 1, "of registers"
    assert resident(16, 0, 1024, "sm_80") == 2, "of warps"
    assert resident(16, 0, 32, "sm_80") == 32, "of blocks"


def test_a_missing_disassembler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_code, "files", lambda *_: [])
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setenv("CUDA_HOME", "/nowhere")
    with pytest.raises(RuntimeError, match="pip install nvidia-cuda-nvdisasm"):
        machine_code.tool()


def can_examine() -> bool:
    """Whether there are a compiler and a disassembler."""
    try:
        return bool(compilation.compiler() and machine_code.tool())
    except RuntimeError:
        return False


@pytest.mark.skipif(not can_examine(), reason="there is no CUDA compiler, or no nvdisasm")
def test_a_program_is_examined(capsys: Any) -> None:
    cuda_instructions.main(["chain_bf16", "matmul_4096_bf16"])
    chain, product = capsys.readouterr().out.strip().split("\n\n")
    *_, row = chain.splitlines()
    assert " 1x16 " in row and " memory " in row, "it reads and writes 16 bytes at once"
    *_, row = product.splitlines()
    assert " tensor " in row and " 1 x 8 " in row, "eight warps have a multiprocessor"
