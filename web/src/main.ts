import './ui/theme.css';
import './ui/base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { Exchange } from './state/index.ts';
import { contextOf } from './ui/context.ts';
import { keepFocus } from './ui/keep_focus.ts';
import { keepTyped } from './ui/keep_typed.ts';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has no #app');

const exchange = new Exchange();
mount(App, { target, context: contextOf(exchange) });
exchange.start();
keepFocus();
keepTyped();
