#include "model/shape.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include <ito/parameters.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

/// "name[shape]@offset ..."
std::string layout(std::span<const Tensor> tensors) {
  std::ostringstream text;
  for (const Tensor& tensor : tensors) {
    text << tensor.name;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
      text << (i == 0 ? "[" : ",") << tensor.shape[i];
    text << "]@" << tensor.offset << " ";
  }
  std::string result = text.str();
  if (!result.empty()) result.pop_back();
  return result;
}

Model square() {
  Model model;
  model.state = 3;
  model.grid = uniform_grid(1.0, 10);
  return model;
}

Model full() {
  Model model = square();
  model.noise = 2;
  model.initial = GaussianInitial{};
  model.drift = Mlp{.hidden = {5, 4}, .activation = Activation::silu};
  model.diffusion =
      GeneralDiffusion{.net = {.hidden = {7}, .time = false}, .scale = 0.5, .floor = 0.25};
  model.control = FeedbackControl{.net = {.hidden = {6}}, .context = 8, .context_steps = {0, 5}};
  return model;
}

TEST(Shape, TensorsFollowInitialDriftDiffusionControl) {
  EXPECT_EQ(layout(resolve(full()).tensors),
            "initial.mean[3]@0 initial.log_std[3]@3 "
            "drift.0.weight[5,4]@6 drift.0.bias[5]@26 drift.1.weight[4,5]@31 drift.1.bias[4]@51 "
            "drift.2.weight[3,4]@55 drift.2.bias[3]@67 "
            "diffusion.0.weight[7,3]@70 diffusion.0.bias[7]@91 diffusion.1.weight[6,7]@98 "
            "diffusion.1.bias[6]@140 "
            "control.0.weight[6,12]@146 control.0.bias[6]@218 control.1.weight[2,6]@224 "
            "control.1.bias[2]@236");
  EXPECT_EQ(resolve(full()).parameters, 238U);
}

TEST(Shape, EveryKindHasItsTensors) {
  struct Case {
    Model model;
    const char* layout;
  };
  Model learned = square();
  learned.initial = LearnedInitial{};
  Model diagonal_constant = square();
  diagonal_constant.diffusion = ConstantDiffusion{};
  Model general_constant = diagonal_constant;
  general_constant.noise = 2;
  Model diagonal = square();
  diagonal.diffusion = DiagonalDiffusion{.net = {.hidden = {}}};
  Model constant_control = general_constant;
  constant_control.control = ConstantControl{};
  Model open_loop = square();
  open_loop.control = OpenLoopControl{.net = {.hidden = {}}, .context = 2};
  Model drift_control = square();
  drift_control.control = DriftControl{.net = {.hidden = {}, .time = false}, .context = 1};
  const Case cases[] = {
      {square(), ""},
      {learned, "initial.value[3]@0"},
      {diagonal_constant, "diffusion.value[3]@0"},
      {general_constant, "diffusion.value[3,2]@0"},
      {diagonal, "diffusion.0.weight[3,4]@0 diffusion.0.bias[3]@12"},
      {constant_control, "diffusion.value[3,2]@0 control.value[2]@6"},
      {open_loop, "control.0.weight[3,3]@0 control.0.bias[3]@9"},
      {drift_control, "control.0.weight[3,4]@0 control.0.bias[3]@12"},
  };
  for (const Case& c : cases) EXPECT_EQ(layout(zero_parameters(c.model).tensors()), c.layout);
}

TEST(Shape, NetsKnowTheirColumnsAndFunctions) {
  const ModelShape shape = resolve(full());
  ASSERT_TRUE(shape.drift && shape.diffusion_net && shape.control_net);
  EXPECT_EQ(shape.drift->state_inputs, 3);
  EXPECT_EQ(shape.drift->time_inputs, 1);
  EXPECT_EQ(shape.drift->context_inputs, 0);
  EXPECT_EQ(shape.drift->inputs(), 4);
  EXPECT_EQ(shape.drift->outputs(), 3);
  EXPECT_EQ(shape.drift->widest(), 5);
  EXPECT_EQ(shape.drift->layers[1].activation, Activation::silu);
  EXPECT_EQ(shape.drift->layers[2].activation, Activation::identity);
  EXPECT_EQ(shape.drift->parameter_begin(), 6U);
  EXPECT_EQ(shape.drift->parameter_end(), 70U);
  EXPECT_EQ(shape.diffusion_net->time_inputs, 0);
  EXPECT_EQ(shape.diffusion_net->outputs(), 6);
  EXPECT_EQ(shape.diffusion_scale, 0.5);
  EXPECT_EQ(shape.diffusion_floor, 0.25);
  EXPECT_EQ(shape.context(), 8);
  EXPECT_EQ(shape.intervals(), 2);
  EXPECT_FALSE(shape.diagonal_diffusion());
}

TEST(Shape, ContextStepsAreEmptyWithoutContext) {
  Model model = square();
  model.control = FeedbackControl{};
  EXPECT_EQ(resolve(model).intervals(), 0);
  EXPECT_EQ(resolve(model).context(), 0);
  model.control = FeedbackControl{.context = 1};
  EXPECT_EQ(resolve(model).intervals(), 1);
}

TEST(Shape, APointIsFilledWithTheOrigin) {
  EXPECT_EQ(resolve(square()).initial_point, std::vector<double>(3, 0.0));
}

TEST(Shape, MoreParametersThanAnIndexHoldsAreRefused) {
  Model model;
  model.state = model.noise = 1024;
  model.grid = {0, 1};
  model.diffusion = GeneralDiffusion{.net = {.hidden = {4096}}};
  EXPECT_EQ(refusal([&] { resolve(model); }),
            "parameters: got 4300218368; accepted: up to 2147483647 in all: take fewer or narrower "
            "layers");
}

TEST(Shape, APriorsTensorsAreAPrefix) {
  const auto all = resolve(full()).tensors;
  const auto of_prior = resolve(prior(full())).tensors;
  ASSERT_LT(of_prior.size(), all.size());
  EXPECT_EQ(layout(of_prior), layout(std::span(all).first(of_prior.size())));
}

TEST(Parameters, ViewsAreTheTensorsPartsOfTheVector) {
  Parameters parameters = zero_parameters(full());
  parameters["drift.0.bias"][4] = 7.0F;
  EXPECT_EQ(parameters.values()[30], 7.0F);
  const Parameters& constant = parameters;
  EXPECT_EQ(constant["drift.0.bias"].size(), 5U);
  EXPECT_EQ(constant["drift.0.bias"][4], 7.0F);
}

TEST(Parameters, AnUnknownTensorIsRefusedWithTheNamesThereAre) {
  Model model = square();
  model.initial = LearnedInitial{};
  model.diffusion = ConstantDiffusion{};
  const Parameters parameters = zero_parameters(model);
  EXPECT_EQ(refusal([&] { static_cast<void>(parameters["initial.mean"]); }),
            "tensor: got \"initial.mean\"; accepted: initial.value, diffusion.value");
  EXPECT_EQ(refusal([&] { static_cast<void>(zero_parameters(square())["a"]); }),
            "tensor: got \"a\"; accepted: none: there are no tensors");
}

TEST(Parameters, TensorsMustTileTheVector) {
  EXPECT_EQ(refusal([] {
              Parameters({{"a", {2}, 0, 2}, {"b", {3}, 3, 3}});
            }),
            "b: got offset 3 and size 3; accepted: offset 2 and size 3: tensors tile the vector in "
            "order");
  EXPECT_EQ(refusal([] {
              Parameters({{"a", {2, 2}, 0, 2}});
            }),
            "a: got offset 0 and size 2; accepted: offset 0 and size 4: tensors tile the vector in "
            "order");
}

}  // namespace
}  // namespace ito
