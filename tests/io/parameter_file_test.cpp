#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include <ito/parameters.hpp>

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

TEST_F(ParameterFileRefusal, MissingTensor) {
  EXPECT_EQ(
      loading([](auto& arrays) { arrays.erase(arrays.begin() + 2); }),
      std::string("drift.0.bias: got no such tensor in the file; accepted: all of the model's: ") +
          all);
}

TEST_F(ParameterFileRefusal, ExtraTensor) {
  EXPECT_EQ(loading([](auto& arrays) {
              arrays.push_back(arrays[0]);
              arrays.back().name = "extra";
            }),
            std::string("tensor: got \"extra\", which the model does not have; accepted: ") + all);
}

TEST_F(ParameterFileRefusal, MisshapenTensor) {
  EXPECT_EQ(loading([](auto& arrays) { arrays[1].shape = {9}; }),
            "drift.0.weight: got shape [9]; accepted: shape [3, 3]");
  EXPECT_EQ(loading([](auto& arrays) {
              arrays[3].shape = {3, 2};
            }),
            "drift.1.weight: got shape [3, 2]; accepted: shape [2, 3]");
}

TEST_F(ParameterFileRefusal, OtherType) {
  EXPECT_EQ(loading([](auto& arrays) {
              arrays[0].type = DataType::f64;
              arrays[0].shape = {1};
            }),
            "initial.value: got f64; accepted: f32");
}

TEST_F(ParameterFileRefusal, NonFiniteValues) {
  EXPECT_EQ(loading([](auto& arrays) { set(arrays[1], 4, NAN); }),
            "drift.0.weight, element 4: got nan; accepted: finite numbers");
  EXPECT_EQ(loading([](auto& arrays) { set(arrays[4], 1, -INFINITY); }),
            "drift.1.bias, element 1: got -inf; accepted: finite numbers");
}

}  // namespace
}  // namespace ito
