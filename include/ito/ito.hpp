#pragma once

/// Everything ito offers.
#include <ito/activation.hpp>
#include <ito/baselines.hpp>
#include <ito/dataset.hpp>
#include <ito/device.hpp>
#include <ito/error.hpp>
#include <ito/evaluate.hpp>
#include <ito/fit.hpp>
#include <ito/latent_model.hpp>
#include <ito/likelihood.hpp>
#include <ito/model.hpp>
#include <ito/noise.hpp>
#include <ito/parameters.hpp>
#include <ito/plan.hpp>
#include <ito/version.hpp>
