#include "gate/sass.hpp"

#include <gtest/gtest.h>

#include <ito/error.hpp>

#include "gate/sass_listing.hpp"

namespace ito::cuda {
namespace {

TEST(Sass, ReadsGuardsOpcodesOperandsAndLabels) {
  const auto functions =
      read_sass(listing({"S2R R0, SR_TID.X", "@!P0 BRA `(.L_x_2)",
                         "IMAD.MOV.U32 R7, RZ, RZ, R12.reuse", ".L_x_2:", "EXIT"}) +
                listing({"$__internal_0_$__sqrt:", "RET.REL.NODEC R2 `(other)"}, "other"));
  ASSERT_EQ(functions.size(), 2u);
  const SassFunction& first = functions[0];
  EXPECT_EQ(first.name, "kernel");
  ASSERT_EQ(first.code.size(), 4u);
  EXPECT_EQ(first.own, 4u);
  EXPECT_EQ(first.code_bytes(), 64u);
  EXPECT_EQ(first.code[1].guard, "!P0");
  EXPECT_EQ(first.code[1].target, ".L_x_2");
  EXPECT_EQ(first.code[2].address, 0x20);
  EXPECT_EQ(first.code[2].opcode, "IMAD.MOV.U32");
  EXPECT_EQ(first.code[2].operands, (std::vector<std::string>{"R7", "RZ", "RZ", "R12"}));
  EXPECT_EQ(first.labels.at(".L_x_2"), 3u);
  EXPECT_EQ(functions[1].own, 0u);
}

TEST(Sass, ALineThatIsNoCodeIsRefused) {
  EXPECT_THROW(read_sass("\t.section\t.text.k\n/*0000*/ MOV R1, R2\n"), Error);
  EXPECT_THROW(read_sass("\t.section\t.text.k\n/*00g0*/ MOV R1, R2 ;\n"), Error);
}

TEST(Sass, KindsOfInstructions) {
  const std::pair<const char*, PipeKind> rows[]{{"HMMA.16816.F32", PipeKind::tensor},
                                                {"HGMMA.64x64x16.F32", PipeKind::tensor},
                                                {"DMMA.8x8x4", PipeKind::tensor},
                                                {"MUFU.TANH", PipeKind::special},
                                                {"FFMA.FTZ", PipeKind::fma},
                                                {"HFMA2.MMA", PipeKind::fma},
                                                {"IMAD.MOV.U32", PipeKind::fma},
                                                {"LOP3.LUT", PipeKind::alu},
                                                {"F2FP.BF16.F32.PACK_AB", PipeKind::alu},
                                                {"F2F.F64.F32", PipeKind::conversion},
                                                {"I2F.U64", PipeKind::conversion},
                                                {"LDSM.16.MT88.4", PipeKind::shared},
                                                {"LDG.E.128", PipeKind::global},
                                                {"STL.64", PipeKind::global},
                                                {"SHFL.BFLY", PipeKind::shuffle},
                                                {"BAR.SYNC.DEFER_BLOCKING", PipeKind::barrier},
                                                {"WARPSYNC.ALL", PipeKind::barrier},
                                                {"BSYNC", PipeKind::branch},
                                                {"CALL.REL.NOINC", PipeKind::branch},
                                                {"ULDC.64", PipeKind::other},
                                                {"NOP", PipeKind::other}};
  for (const auto& [opcode, kind] : rows)
    EXPECT_EQ(name((SassInstruction{0, "", opcode}).kind()), name(kind)) << opcode;
}

TEST(Sass, MultiplyAddsOfTensorInstructions) {
  const auto fmas = [](const char* opcode) { return SassInstruction{0, "", opcode}.tensor_fmas(); };
  EXPECT_EQ(fmas("HMMA.16816.F32.BF16"), 16 * 8 * 16);
  EXPECT_EQ(fmas("HMMA.1688.F32.TF32"), 16 * 8 * 8);
  EXPECT_EQ(fmas("DMMA.8x8x4"), 8 * 8 * 4);
  EXPECT_EQ(fmas("HGMMA.64x64x16.F32"), 64 * 64 * 16 / 4);
  EXPECT_EQ(fmas("FFMA"), 0);
  EXPECT_THROW(fmas("HMMA.777"), Error);
}

}  // namespace
}  // namespace ito::cuda
