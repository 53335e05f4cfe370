import './ui/tokens.css';
import './ui/base.css';
import { createRoot } from 'react-dom/client';
import { App } from './app/App';
import { preload } from './app/pages';
import { applyTheme } from './app/theme';

applyTheme();
if (sessionStorage.getItem('orch.token') ?? localStorage.getItem('orch.token')) preload(location.pathname);
createRoot(document.getElementById('root')!).render(<App />);
