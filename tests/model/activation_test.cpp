#include <gtest/gtest.h>

#include <ito/activation.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

TEST(Activation, NameAndParseAreInverse) {
  for (int i = 0; i <= static_cast<int>(Activation::exp); ++i) {
    const auto activation = static_cast<Activation>(i);
    EXPECT_EQ(parse_activation(name(activation), "field"), activation) << name(activation);
  }
}

TEST(Activation, NamesAreThoseOfTheDescription) {
  EXPECT_EQ(name(Activation::identity), "identity");
  EXPECT_EQ(name(Activation::relu), "relu");
  EXPECT_EQ(name(Activation::tanh), "tanh");
  EXPECT_EQ(name(Activation::sigmoid), "sigmoid");
  EXPECT_EQ(name(Activation::softplus), "softplus");
  EXPECT_EQ(name(Activation::silu), "silu");
  EXPECT_EQ(name(Activation::lipswish), "lipswish");
  EXPECT_EQ(name(Activation::gelu), "gelu");
  EXPECT_EQ(name(Activation::exp), "exp");
}

TEST(Activation, UnknownTextIsRefusedByField) {
  EXPECT_EQ(
      refusal([] { parse_activation("tahn", "drift.activation"); }),
      "drift.activation: got \"tahn\"; accepted: identity, relu, tanh, sigmoid, softplus, silu, "
      "lipswish, gelu, exp");
  EXPECT_NE(refusal([] { parse_activation("", "f"); }), "accepted");
  EXPECT_NE(refusal([] { parse_activation("Tanh", "f"); }), "accepted");
}

}  // namespace
}  // namespace ito
