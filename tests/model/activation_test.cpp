#include <gtest/gtest.h>

#include <cmath>

#include <ito/activation.hpp>

#include "kernels/arithmetic/activation.cuh"
#include "refusal.hpp"

namespace ito {
namespace {

TEST(Activation, TableIsInTheOrderOfTheEnumeration) {
  ASSERT_EQ(std::size(activation_table), static_cast<std::size_t>(activation_count));
  for (int i = 0; i < activation_count; ++i) {
    EXPECT_EQ(activation_table[i].activation, static_cast<Activation>(i));
  }
}

TEST(Activation, NameAndParseAreInverse) {
  for (const auto& row : activation_table) {
    EXPECT_EQ(name(row.activation), row.name);
    EXPECT_EQ(parse_activation(row.name, "field"), row.activation);
  }
}

constexpr double arguments[] = {-30, -4, -1.5, -0.7, -0.1, 0.1, 0.7, 1.5, 4, 30};

TEST(Activation, SlopeIsTheDerivativeOfTheValue) {
  for (const auto& row : activation_table) {
    for (const double z : arguments) {
      const double step = 1e-6;
      const double difference = value_and_slope(row.activation, z + step).value -
                                value_and_slope(row.activation, z - step).value;
      const auto at = value_and_slope(row.activation, z);
      EXPECT_NEAR(difference / (2 * step), at.slope, 1e-8 * (1 + std::abs(at.value)))
          << row.name << " at " << z;
    }
  }
}

TEST(Activation, SlopeFromTheValueIsTheSlope) {
  for (const auto& row : activation_table) {
    for (const double z : arguments) {
      with_activation(row.activation, [&]<class Function>(Function) {
        if constexpr (Function::slope_source != SlopeSource::argument) {
          const auto at = Function::at(z);
          EXPECT_NEAR(Function::times_slope(3.0, at.value), 3 * at.slope,
                      1e-14 * (1 + std::abs(at.slope)))
              << row.name << " at " << z;
        }
      });
    }
  }
}

TEST(Activation, ValuesLieInTheRange) {
  for (const auto& row : activation_table) {
    const ValueRange range = with_activation(row.activation, [](auto f) { return f.range; });
    for (const double z : arguments) {
      const double value = value_and_slope(row.activation, z).value;
      EXPECT_GE(value, range.low) << row.name << " at " << z;
      EXPECT_LE(value, range.high) << row.name << " at " << z;
    }
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
  EXPECT_EQ(name(Activation::elu), "elu");
}

TEST(Activation, UnknownTextIsRefusedByField) {
  EXPECT_EQ(
      refusal([] { parse_activation("tahn", "drift.activation"); }),
      "drift.activation: got \"tahn\"; accepted: identity, relu, tanh, sigmoid, softplus, silu, "
      "lipswish, gelu, exp, elu");
  EXPECT_NE(refusal([] { parse_activation("", "f"); }), "accepted");
  EXPECT_NE(refusal([] { parse_activation("Tanh", "f"); }), "accepted");
}

}  // namespace
}  // namespace ito
