#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <ito/parameters.hpp>

#include "io/file.hpp"
#include "io/safetensors.hpp"
#include "refusal.hpp"
#include "temporary_folder.hpp"

namespace ito {
namespace {

Model small() {
  Model model;
  model.state = 2;
  model.grid = uniform_grid(1.0, 4);
  model.initial = LearnedInitial{};
  model.drift = Mlp{.hidden = {3}};
  return model;
}

TEST(ParameterFile, RoundTripIsBitExact) {
  const TemporaryFolder folder;
  Parameters parameters = initialize(small(), 11);
  parameters.values()[0] = -0.0F;
  parameters.values()[1] = std::numeric_limits<float>::denorm_min();
  parameters.values()[2] = std::numeric_limits<float>::max();
  save_safetensors(parameters, folder / "p");
  const Parameters read = load_safetensors(zero_parameters(small()), folder / "p");
  ASSERT_EQ(read.size(), parameters.size());
  EXPECT_EQ(std::memcmp(read.values().data(), parameters.values().data(),
                        parameters.size() * sizeof(float)),
            0);
}

TEST(ParameterFile, TensorsKeepTheirNamesAndOrder) {
  const TemporaryFolder folder;
  const Parameters parameters = initialize(small(), 11);
  save_safetensors(parameters, folder / "p");
  const auto arrays = read_safetensors(folder / "p").arrays;
  ASSERT_EQ(arrays.size(), parameters.tensors().size());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ(arrays[i].name, parameters.tensors()[i].name);
    EXPECT_EQ(arrays[i].shape, parameters.tensors()[i].shape);
    EXPECT_EQ(arrays[i].type, DataType::f32);
  }
}

TEST(ParameterFile, AModelWithoutParametersHasAFileToo) {
  const TemporaryFolder folder;
  Model model;
  model.grid = {0, 1};
  save_safetensors(zero_parameters(model), folder / "p");
  EXPECT_EQ(load_safetensors(zero_parameters(model), folder / "p").size(), 0U);
}

class ParameterFileRefusal : public testing::Test {
 protected:
  /// What loading says after the file's name, for arrays that `change` has spoilt.
  template <class Change>
  std::string loading(Change change) {
    const auto file = folder_ / "p";
    save_safetensors(initialize(small(), 11), file);
    std::vector<Array> arrays = read_safetensors(file).arrays;
    change(arrays);
    write_safetensors(file, std::vector<ArrayView>(arrays.begin(), arrays.end()));
    const std::string message = refusal([&] { load_safetensors(zero_parameters(small()), file); });
    const std::string prefix = file.string() + ": ";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  static void set(Array& array, std::size_t element, float value) {
    std::memcpy(array.bytes.data() + element * sizeof value, &value, sizeof value);
  }

 private:
  TemporaryFolder folder_;
};

constexpr const char* all =
    "initial.value, drift.0.weight, drift.0.bias, drift.1.weight, drift.1.bias";

TEST_F(ParameterFileRefusal, NamesAMissingTensor) {
  EXPECT_EQ(
      loading([](auto& arrays) { arrays.erase(arrays.begin() + 2); }),
      std::string("drift.0.bias: got no such tensor in the file; accepted: all of the model's: ") +
          all);
}

TEST_F(ParameterFileRefusal, NamesAnExtraTensor) {
  EXPECT_EQ(loading([](auto& arrays) {
              arrays.push_back(arrays[0]);
              arrays.back().name = "extra";
            }),
            std::string("tensor: got \"extra\", which the model does not have; accepted: ") + all);
}

TEST_F(ParameterFileRefusal, NamesATensorOfAnotherShape) {
  EXPECT_EQ(loading([](auto& arrays) { arrays[1].shape = {9}; }),
            "drift.0.weight: got shape [9]; accepted: shape [3, 3]");
  EXPECT_EQ(loading([](auto& arrays) {
              arrays[3].shape = {3, 2};
            }),
            "drift.1.weight: got shape [3, 2]; accepted: shape [2, 3]");
}

TEST_F(ParameterFileRefusal, NamesATensorOfAnotherType) {
  EXPECT_EQ(loading([](auto& arrays) {
              arrays[0].type = DataType::i64;
              arrays[0].bytes.resize(8 * arrays[0].shape[0]);
            }),
            "initial.value: got i64; accepted: f32, f64, f16 or bf16");
}

TEST_F(ParameterFileRefusal, NamesAValueThatIsNotFinite) {
  EXPECT_EQ(loading([](auto& arrays) { set(arrays[1], 4, NAN); }),
            "drift.0.weight, element 4: got nan; accepted: finite float32 numbers");
  EXPECT_EQ(loading([](auto& arrays) { set(arrays[4], 1, -INFINITY); }),
            "drift.1.bias, element 1: got -inf; accepted: finite float32 numbers");
}

/// A model of one weight and one bias.
Model affine() {
  Model model;
  model.grid = {0, 1};
  model.drift = Mlp{.hidden = {}, .time = false};
  return model;
}

/// A file of its two parameters with these bytes.
std::string parameter_file(const std::string& dtype, const std::string& bias,
                           const std::string& weight) {
  const std::size_t size = bias.size();
  const std::string header = R"({"drift.0.bias":{"dtype":")" + dtype +
                             R"(","shape":[1],"data_offsets":[0,)" + std::to_string(size) +
                             R"(]},"drift.0.weight":{"dtype":")" + dtype +
                             R"(","shape":[1,1],"data_offsets":[)" + std::to_string(size) + "," +
                             std::to_string(2 * size) + "]}}";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  return bytes + header + bias + weight;
}

template <class Number>
std::string raw(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

std::vector<float> loaded(const std::string& bytes) {
  const TemporaryFolder folder;
  write_file(folder / "p", bytes);
  const Parameters parameters = load_safetensors(zero_parameters(affine()), folder / "p");
  return {parameters["drift.0.bias"][0], parameters["drift.0.weight"][0]};
}

TEST(ParameterFile, NumbersOfOtherWidthsAreReadAsFloats) {
  // 0.1 and -0.6 as doubles, rounded to the nearest float; then the halves next to them, exactly.
  EXPECT_EQ(loaded(parameter_file("F64", raw(0.1), raw(-0.6))), (std::vector<float>{0.1F, -0.6F}));
  EXPECT_EQ(loaded(parameter_file("F16", "\x66\x2e", "\xcd\xb8")),
            (std::vector<float>{0.0999755859375F, -0.60009765625F}));
  EXPECT_EQ(loaded(parameter_file("BF16", "\xcd\x3d", "\x1a\xbf")),
            (std::vector<float>{0.10009765625F, -0.6015625F}));
}

TEST(ParameterFile, NumbersThatNoFloatHoldsAreRefused) {
  const auto refused = [](const std::string& bytes) {
    const std::string message = refusal([&] { loaded(bytes); });
    return message.substr(std::min(message.size(), message.find("drift")));
  };
  EXPECT_EQ(refused(parameter_file("F64", raw(0.1), raw(1e39))),
            "drift.0.weight, element 0: got 1e+39; accepted: finite float32 numbers");
  EXPECT_EQ(refused(parameter_file("F16", std::string("\x00\x7c", 2), std::string(2, '\0'))),
            "drift.0.bias, element 0: got inf; accepted: finite float32 numbers");
  EXPECT_EQ(refused(parameter_file("BF16", "\xc0\x7f", std::string(2, '\0'))),
            "drift.0.bias, element 0: got nan; accepted: finite float32 numbers");
}

}  // namespace
}  // namespace ito
